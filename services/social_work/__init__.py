"""The node of the Center for Social Work."""
