"""The tests that judge the rules; one folder for each document, one file for each section."""
