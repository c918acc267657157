"""Joins the writes of one turn of the loop into one batch. (Being built.)"""
