//! Ids, money, task specifications with their validation, and the task state machine. Pure.
