"""Sample requests of each rule, as data: a package, so that a wheel and the image carry them too."""
