//! HTTP API, tasks, datasets, models, deployments, users, and the projections of events.
