"""Arrays in, arrays out: the penalised least-squares engine (numpy, scipy and the kernels only).

=============  =========================================================================================
data           ``terms``, ``blocks``, ``fixed``, ``crossproducts``, ``aggregates``, ``elsewhere`` -> ``problem``
criterion      ``engine`` (what is asked of a factorisation), ``pls``, ``criterion``, ``derivatives``, ``exact``
search         ``start``, ``trust``, ``optimize``, ``outcome``, ``certificate``, ``hessian`` -> ``fit``
``direct``     exact engines: eliminate and LAPACK, CHOLMOD, dense for small models
``krylov``     the iterative engine: conjugate gradients, stochastic traces, Lanczos quadrature
``kernels``    compiled loops
``cost``       what a fit will cost, and which engine it takes
``batched``    many theta or many responses at a time: profiles, bootstrap
``cases``      rows and levels left out: leverage, deletion
``threads``    how many threads BLAS gets
=============  =========================================================================================
"""
