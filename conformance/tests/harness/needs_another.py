import a_module_that_nobody_has  # noqa: F401  importing it is what fails
