"""Access of people to pages: authentication, sign-in sessions, and the recording of reads before content is sent."""
