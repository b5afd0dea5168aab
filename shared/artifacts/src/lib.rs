//! The only user of aws-sdk-s3: immutable hashed objects and folders with a manifest, and presigned links.
