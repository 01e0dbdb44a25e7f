"""Gettext catalogues of the audit's pages; ``handoff.web.pages`` has those of the sentences that all pages share."""
