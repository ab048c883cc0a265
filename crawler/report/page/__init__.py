"""``report.html``: a report as a page of pictures that opens without a network and without a script.

Whatever others have written (URLs, names of hosts, messages of servers) is escaped by MarkupSafe wherever it is put in,
and made printable before. Should a hole be found all the same, the page's own policy lets no script run
and nothing be fetched.
"""
