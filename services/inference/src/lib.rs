//! Serves compiled models: OpenAI-compatible chat and completions.
