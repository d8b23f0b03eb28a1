"""Reports: what `MixedResults` holds, laid out as text and HTML. Nothing is computed here.

==============  ==================================================================
``summary``     `Summary`, and `summarize`, which makes it
``parts``       results to tables of formatted cells
``numbers``     numbers to cells
``table``       `Table`, the one form that both layouts read
``cost``        what a fit will cost, to read
``text``        layout for a terminal
``html``        layout for a notebook
==============  ==================================================================
"""

from mixedsparse.report.summary import Summary, summarize

__all__ = ["Summary", "summarize"]
