"""Callers' and providers' pictures: looked at, made as large as was asked, marked, encoded."""
