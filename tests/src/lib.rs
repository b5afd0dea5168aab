//! Journeys through the whole stack, fault tests, and the tests of the house itself.
