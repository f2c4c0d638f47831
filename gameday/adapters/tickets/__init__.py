"""Tickets of findings in other systems: Jira and ServiceNow."""
