//! What rows begin with in common, and which rows are worth scoring together for it.

use super::TokenRequest;

/// A shared beginning shorter than this is not worth keeping.
const SHARED_TOKENS: usize = 16;
/// Tokens that a group must save: it runs in passes of its own.
const SAVED_TOKENS: usize = 1024;

/// Rows that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// What they begin with; empty for the rows that share nothing worth keeping.
    pub prefix: Vec<u32>,
    /// Their places in what was given.
    pub rows: Vec<usize>,
}

/// Groups rows by their beginning, so that each token that many rows begin with is computed once. A row that begins
/// otherwise (a truncated one) keeps to itself and spoils nothing.
pub fn group_alike(rows: &[&[TokenRequest]]) -> Vec<Alike> {
    let stems: Vec<&[u32]> = rows.iter().map(|row| stem(row)).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| stems[*a].cmp(stems[*b]).then(a.cmp(b)));
    let common: Vec<usize> = order.windows(2).map(|pair| shared(stems[pair[0]], stems[pair[1]])).collect();
    let (mut groups, mut rest) = (Vec::new(), Vec::new());
    let mut ranges = Vec::new();
    ranges.push(0..order.len());
    while let Some(range) = ranges.pop() {
        let within = range.start..range.end.saturating_sub(1).max(range.start);
        match most_saved(&common[within]) {
            Some((from, to, length)) if length >= SHARED_TOKENS && length * (to - from) >= SAVED_TOKENS => {
                let (first, last) = (range.start + from, range.start + to);
                let prefix = stems[order[first]][..length].to_vec();
                groups.push(Alike { prefix, rows: order[first..=last].to_vec() });
                ranges.extend([range.start..first, last + 1..range.end]);
            }
            _ => rest.extend_from_slice(&order[range]),
        }
    }
    if !rest.is_empty() {
        groups.push(Alike { prefix: Vec::new(), rows: rest });
    }
    groups
}

/// Ids that every request of a row begins with and in which nothing is scored.
fn stem(row: &[TokenRequest]) -> &[u32] {
    let Some(first) = row.first() else { return &[] };
    let length = row.iter().fold(first.first_scored(), |length, request| {
        let length = length.min(request.first_scored());
        shared(&first.input[..length], &request.input)
    });
    &first.input[..length]
}

/// The largest rectangle below the lengths: neighbours from `from` up to and including `to` share `length` ids, and
/// `(to - from) * length` is the most that one group can save.
fn most_saved(common: &[usize]) -> Option<(usize, usize, usize)> {
    let mut best: Option<(usize, usize, usize)> = None;
    let mut open: Vec<(usize, usize)> = Vec::new();
    for at in 0..=common.len() {
        let length = common.get(at).copied().unwrap_or(0);
        let mut from = at;
        while let Some((start, height)) = open.pop_if(|(_, height)| *height >= length) {
            from = start;
            if best.is_none_or(|(a, b, tallest)| height * (at - start) > tallest * (b - a)) {
                best = Some((start, at, height));
            }
        }
        open.push((from, length));
    }
    best
}

/// How many leading ids two sequences share.
pub(super) fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(input: &[u32], targets: &[u32]) -> TokenRequest {
        TokenRequest { input: input.to_vec(), targets: targets.to_vec() }
    }

    #[test]
    fn scored_positions_stay_outside_a_stem() {
        let row = [request(&[1, 2, 3, 4], &[9]), request(&[1, 2, 3, 5, 6], &[7, 8])];
        assert_eq!(stem(&row), [1, 2, 3]);
        assert_eq!(stem(&[request(&[1, 2], &[2, 3])]), [0_u32; 0]);
        assert_eq!(stem(&[]), [0_u32; 0]);
    }

    #[test]
    fn an_odd_row_does_not_spoil_the_others() {
        let begun = |with: u32, own: u32| {
            let mut input = vec![with; 200];
            input.extend([own, own]);
            vec![request(&input, &[1])]
        };
        let rows: Vec<Vec<TokenRequest>> = (0..20)
            .map(|n| match n {
                7 => vec![request(&[3, 4, 5], &[1])],
                n if n % 2 == 0 => begun(8, n),
                n => begun(9, n),
            })
            .collect();
        let rows: Vec<&[TokenRequest]> = rows.iter().map(Vec::as_slice).collect();
        let groups = group_alike(&rows);
        let of = |with: u32| groups.iter().find(|group| group.prefix.first() == Some(&with));
        assert_eq!(of(8).map(|group| (group.prefix.len(), group.rows.len())), Some((200, 10)));
        assert_eq!(of(9).map(|group| (group.prefix.len(), group.rows.len())), Some((200, 9)));
        assert_eq!(
            groups.iter().find(|group| group.prefix.is_empty()).map(|group| group.rows.clone()),
            Some(vec![7])
        );
        assert_eq!(groups.iter().map(|group| group.rows.len()).sum::<usize>(), 20);
    }

    #[test]
    fn little_in_common_is_not_worth_a_group() {
        let rows: Vec<Vec<TokenRequest>> =
            (0..9).map(|n| vec![request(&[vec![5; 20], vec![n]].concat(), &[1])]).collect();
        let rows: Vec<&[TokenRequest]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(group_alike(&rows).len(), 1);
        assert!(group_alike(&rows)[0].prefix.is_empty());
        assert!(group_alike(&[]).is_empty());
    }
}
