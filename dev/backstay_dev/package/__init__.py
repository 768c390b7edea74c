"""What a release consists of: the chart, packages for hosts and for people, their checksums and bill of materials, in `dist/`.

The same commit gives the same bytes: every file has the time of the commit, root's ownership and one of two modes.
"""
