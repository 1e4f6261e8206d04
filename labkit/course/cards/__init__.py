"""Cards: what the exercise kit says to the learner, as static HTML, as plain text, and with buttons in a live
JupyterLab.

The words and the static forms stand in `card`, the choice of form in `show`, the buttons in `controls`. `dashboard`
draws a service's meters while a load runs.
"""
