//! Architectures, weight files (safetensors, GGUF), tokenizer, chat template, generation.
