"""report.html: one self-contained page of a run, made of sections that other reports can use.

Data goes one way: a run's record and pictures become `Section`s (`summary`, `findings`, `views`, `surface`, `stages`,
`atlas`, `provenance`), `document` puts them and the scripts they need into one file, `pages` says which page has which.
`charts` draws figures for pages and for files of their own.
"""

from meshopt.report.page.pages import check_page, mesh_page, result_page

__all__ = ["check_page", "mesh_page", "result_page"]
