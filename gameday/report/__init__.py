"""Reports of a run: what is said (`build`), and the forms it is said in. Pure and byte-stable."""
