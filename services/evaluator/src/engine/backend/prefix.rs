//! What sequences begin with in common.

use super::TokenRequest;

/// Ids that every context begins with, one id short of the shortest context, so that no scored position is inside.
pub fn common_prefix<'a>(requests: impl IntoIterator<Item = &'a TokenRequest>) -> Vec<u32> {
    let mut requests = requests.into_iter();
    let Some(first) = requests.next() else { return Vec::new() };
    let mut length = first.first_scored();
    for request in requests {
        length = length.min(request.first_scored());
        length = shared(&first.input[..length], &request.input);
    }
    first.input[..length].to_vec()
}

/// How many leading ids two sequences share.
pub(super) fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scored_positions_stay_outside() {
        let request = |input: &[u32], targets: &[u32]| TokenRequest {
            input: input.to_vec(),
            targets: targets.to_vec(),
        };
        let requests = [request(&[1, 2, 3, 4], &[9]), request(&[1, 2, 3, 5, 6], &[7, 8])];
        assert_eq!(common_prefix(&requests), [1, 2, 3]);
        assert_eq!(common_prefix(&[request(&[1, 2], &[2, 3])]), [0_u32; 0]);
        assert_eq!(common_prefix(&[]), [0_u32; 0]);
    }
}
