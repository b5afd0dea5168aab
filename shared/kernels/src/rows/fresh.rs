//! New vectors that are filled by all threads: one that is zeroed first is written twice, the first time by one thread alone.
#![allow(unsafe_code, reason = "vectors get their length once every part of them is written")]

use std::{mem::MaybeUninit, ops::Range};

use rayon::prelude::*;

use crate::pool::in_pool;

/// A vector of `len` values of which `fill` writes every part of `part` values; it is given the part's first place, and zeros.
pub(crate) fn filled<T: Copy + Default + Send>(
    len: usize,
    part: usize,
    fill: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    let room = &mut values.spare_capacity_mut()[..len];
    in_pool(|| {
        room.par_chunks_mut(part.max(1)).enumerate().for_each(|(n, room)| {
            // In the first cache still when they are written again.
            room.fill(MaybeUninit::new(T::default()));
            // SAFETY: all of it was written just now.
            fill(n * part.max(1), unsafe { room.assume_init_mut() });
        });
    });
    // SAFETY: the parts above cover the first `len` places.
    unsafe { values.set_len(len) };
    values
}

/// Zeros, for tasks that write their own places of them.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    filled(len, 1 << 16, |_, _| ())
}

/// The rows of `N` matrices with rows of these widths, made a block of rows at a time; the blocks follow one another from the first row.
///
/// # Panics
/// Where `make` answers other lengths than those of its rows.
pub fn by_blocks<const N: usize, E: Send>(
    blocks: &[Range<usize>],
    widths: [usize; N],
    make: impl Fn(Range<usize>) -> Result<[Vec<f32>; N], E> + Sync,
) -> Result<[Vec<f32>; N], E> {
    let rows = blocks.iter().map(Range::len).sum::<usize>();
    let mut all = widths.map(|width| Vec::with_capacity(rows * width));
    let mut rooms: Vec<[&mut [MaybeUninit<f32>]; N]> = Vec::with_capacity(blocks.len());
    let mut left = all.each_mut().map(Vec::spare_capacity_mut);
    for block in blocks {
        let mut widths = widths.iter();
        let of_block = left.each_mut().map(|left| {
            let width = widths.next().map_or(0, |width| block.len() * width);
            left.split_off_mut(..width).expect("there is room for every row")
        });
        rooms.push(of_block);
    }
    in_pool(|| {
        rooms.into_par_iter().zip(blocks).try_for_each(|(rooms, block)| {
            let made = make(block.clone())?;
            for (room, made) in rooms.into_iter().zip(made) {
                room.write_copy_of_slice(&made);
            }
            Ok(())
        })
    })?;
    for (values, width) in all.iter_mut().zip(widths) {
        // SAFETY: every block has written its rows, all of them.
        unsafe { values.set_len(rows * width) };
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_filled_in_its_place() {
        for (len, part) in [(0, 4), (1, 4), (4, 4), (13, 4), (1000, 7), (5, 0)] {
            let values = filled(len, part, |from, out| {
                assert!(out.iter().all(|x| *x == 0.0));
                out.iter_mut().zip(from..).for_each(|(x, at)| *x = at as f32);
            });
            assert_eq!(values, (0..len).map(|at| at as f32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn blocks_are_put_in_the_order_of_their_rows() {
        for blocks in [vec![], vec![0..1, 1..2], vec![0..3, 3..4, 4..4, 4..9]] {
            let rows = blocks.last().map_or(0, |block| block.end);
            let make = |range: Range<usize>| {
                let values = |width: usize| range.clone().flat_map(|row| vec![row as f32; width]).collect();
                Ok::<_, String>([values(2), values(5)])
            };
            let [narrow, wide] = by_blocks(&blocks, [2, 5], make).unwrap();
            assert_eq!(narrow, (0..rows * 2).map(|at| (at / 2) as f32).collect::<Vec<_>>());
            assert_eq!(wide, (0..rows * 5).map(|at| (at / 5) as f32).collect::<Vec<_>>());
        }
        let failing = |range: Range<usize>| {
            if range.contains(&4) { Err("row 4") } else { Ok([vec![0.0; range.len()]]) }
        };
        assert_eq!(by_blocks(&[0..2, 2..5, 5..9], [1], failing), Err("row 4"));
    }
}
