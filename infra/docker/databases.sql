-- Billing keeps its books in a database of its own.
CREATE DATABASE billing OWNER anneal;
