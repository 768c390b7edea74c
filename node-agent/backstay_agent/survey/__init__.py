"""One look for what a unit needs, in processes of its own: read-only, bounded in time, count and size. Here belongs what is seen, never a
judgement: what a need is, how it may be had on two hosts, is for `backstay discover` to say (`backstay_cli.drafting`).

`sources.py` is the table of all sources; each module has the functions of some rows. Nothing that the service names is ever executed.
"""
