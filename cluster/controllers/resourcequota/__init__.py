"""The resource quota controller: recounts what quotas hold, and tells it in their status."""
