"""A page of an evaluation: tables and plots in one file of HTML, nothing loaded from elsewhere."""
