//! Python pickles run code when they are loaded: they are refused under any name.

const ENDINGS: [&str; 7] = [".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"];

/// Why a file with this name and these first bytes is refused, if it is.
pub(in crate::models) fn refusal(path: &str, head: &[u8]) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    // A pickle of protocol 2 to 5 begins with PROTO and its number; PyTorch packs pickles into zip archives.
    let is_pickle = matches!(head, [0x80, 2..=5, ..]) || head.starts_with(b"PK\x03\x04");
    (is_pickle || ENDINGS.iter().any(|ending| lower.ends_with(ending)))
        .then_some("a Python pickle can run code when it is loaded: convert it to safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickles_are_known_by_name_and_by_content() {
        assert!(refusal("pytorch_model.BIN", b"").is_some());
        assert!(refusal("model.safetensors", b"\x80\x04\x95abc").is_some());
        assert!(refusal("weights.dat", b"PK\x03\x04....").is_some());
        assert!(refusal("model.safetensors", b"\x10\0\0\0\0\0\0\0{").is_none());
    }
}
