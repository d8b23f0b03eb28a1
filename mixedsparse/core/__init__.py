"""Arrays in, arrays out: the penalised least-squares engine (numpy, scipy and the kernels only).

Each room imports from those above it in this table, and from no other (`tests/test_layers.py`).

==============  ========================================================================================
``problem``     terms, blocks, X, their cross-products, and how entries of Sigma move with theta
``likelihood``  ``interface`` (what is asked of an engine), the criterion and its derivatives; families
``engines``     ``split`` (eliminate and LAPACK), ``cholmod``, ``dense`` for small models, ``krylov``
                (conjugate gradients, stochastic traces), compiled ``kernels``
``newton``      trust-region Newton: one search (``single``), many in step (``batched``)
``batch``       many theta or many responses of one problem: profiles, bootstrap
``fitting``     starts, searches, certificate, estimates
``deletion``    rows and levels left out: leverage, deletion
``choose``      what a fit will cost, and which engine it takes
==============  ========================================================================================
"""
