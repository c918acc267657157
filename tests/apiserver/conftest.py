"""Its being here lets the tests in the folders below import rest_world and registry_world."""
