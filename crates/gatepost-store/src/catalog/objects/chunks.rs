//! A sorted map whose copies share what they have in common: chunks of entries behind shared pointers. A copy is one
//! pointer; a change copies one chunk, and the list of chunks if somebody else still has it.

use std::cmp::Ordering;
use std::sync::Arc;

/// Entries of a chunk: few enough to be copied at each change, and many enough that chunks are few.
const CHUNK: usize = 128;

type Chunk<K, V> = Arc<Vec<(K, V)>>;

#[derive(Debug)]
pub(super) struct Chunks<K, V> {
    /// In order; none is empty.
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K, V> Clone for Chunks<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for Chunks<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K, V> Chunks<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> + Clone {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The value whose key compares as equal. `order` says how a key lies to the one that is looked for.
    pub(super) fn find(&self, order: impl Fn(&K) -> Ordering) -> Option<&V> {
        let after = self.chunks.partition_point(|chunk| order(&chunk[0].0) != Ordering::Greater);
        let chunk = &self.chunks[after.checked_sub(1)?];
        let place = chunk.binary_search_by(|(key, _)| order(key)).ok()?;
        Some(&chunk[place].1)
    }
}

impl<K: Ord + Clone, V: Clone> Chunks<K, V> {
    pub(super) fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        let (at, place) = self.place(key);
        let place = place.ok()?;
        let chunk = Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[at]);
        Some(&mut chunk[place].1)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (at, place) = self.place(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let place = match place {
            Ok(place) => {
                let entries = Arc::make_mut(&mut chunks[at]);
                return Some(std::mem::replace(&mut entries[place].1, value));
            }
            Err(place) => place,
        };
        self.len += 1;
        // What comes in order fills its chunks; what comes between halves one.
        let Some(chunk) = chunks.get_mut(at).filter(|chunk| place < CHUNK || chunk.len() < CHUNK) else {
            let next = chunks.len().min(at + 1);
            chunks.insert(next, Arc::new(vec![(key, value)]));
            return None;
        };
        let entries = Arc::make_mut(chunk);
        if entries.len() < CHUNK {
            entries.insert(place, (key, value));
            return None;
        }
        let mut upper = entries.split_off(CHUNK / 2);
        match place.checked_sub(CHUNK / 2) {
            Some(place) => upper.insert(place, (key, value)),
            None => entries.insert(place, (key, value)),
        }
        chunks.insert(at + 1, Arc::new(upper));
        None
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (at, place) = self.place(key);
        let place = place.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let entries = Arc::make_mut(&mut chunks[at]);
        let (_, value) = entries.remove(place);
        if entries.is_empty() {
            chunks.remove(at);
        }
        self.len -= 1;
        Some(value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let chunks = Arc::make_mut(&mut self.chunks).iter_mut();
        chunks.flat_map(|chunk| Arc::make_mut(chunk).iter_mut().map(|(_, value)| value))
    }

    /// Keys of which the two maps do not share the entry: all that differ are among them. In order.
    pub(super) fn unshared(&self, other: &Self) -> Vec<K> {
        let mut keys = Vec::new();
        let (mut ours, mut theirs) = (Cursor::new(self), Cursor::new(other));
        loop {
            if let (Some(one), Some(another)) = (ours.whole_chunk(), theirs.whole_chunk())
                && Arc::ptr_eq(one, another)
            {
                ours.skip_chunk();
                theirs.skip_chunk();
                continue;
            }
            let next = match (ours.key(), theirs.key()) {
                (None, None) => return keys,
                (Some(key), None) | (None, Some(key)) => key.clone(),
                (Some(one), Some(another)) => one.min(another).clone(),
            };
            ours.pass(&next);
            theirs.pass(&next);
            keys.push(next);
        }
    }

    pub(super) fn extend(&mut self, entries: impl IntoIterator<Item = (K, V)>) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }

    /// The chunk that holds a key, or would, and its place there.
    fn place(&self, key: &K) -> (usize, Result<usize, usize>) {
        let at = self.chunks.partition_point(|chunk| chunk[0].0 <= *key).saturating_sub(1);
        let entries = self.chunks.get(at).map_or(&[][..], |chunk| chunk.as_slice());
        (at, entries.binary_search_by(|(other, _)| other.cmp(key)))
    }
}

/// A walk through a map.
struct Cursor<'m, K, V> {
    chunks: &'m [Chunk<K, V>],
    place: usize,
}

impl<'m, K: Ord, V> Cursor<'m, K, V> {
    fn new(map: &'m Chunks<K, V>) -> Self {
        Self { chunks: &map.chunks, place: 0 }
    }

    /// The chunk at whose beginning it is.
    fn whole_chunk(&self) -> Option<&'m Chunk<K, V>> {
        self.chunks.first().filter(|_| self.place == 0)
    }

    fn skip_chunk(&mut self) {
        (self.chunks, self.place) = (&self.chunks[1..], 0);
    }

    fn key(&self) -> Option<&'m K> {
        self.chunks.first().map(|chunk| &chunk[self.place].0)
    }

    /// Goes on if it stands at this key.
    fn pass(&mut self, key: &K) {
        if self.key() == Some(key) {
            self.place += 1;
            if self.place == self.chunks[0].len() {
                self.skip_chunk();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(map: &Chunks<u16, u32>, model: &BTreeMap<u16, u32>) {
        assert_eq!(map.len(), model.len());
        assert!(map.iter().map(|(key, value)| (key, value)).eq(model.iter()));
        assert!(map.iter().rev().map(|(key, _)| key).eq(model.keys().rev()));
        assert!(map.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
        for key in [0, 1, 299, 500, u16::MAX] {
            assert_eq!(map.find(|other| other.cmp(&key)), model.get(&key));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_copies_stay_what_they_are(
            changes in proptest::collection::vec((0_u8..8, 0_u16..600, any::<u32>()), 0..1_500),
        ) {
            let (mut map, mut model) = (Chunks::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (number, (what, key, value)) in changes.into_iter().enumerate() {
                match what {
                    0 => assert_eq!(map.remove(&key), model.remove(&key)),
                    1 => {
                        if let (Some(one), Some(other)) = (map.find_mut(&key), model.get_mut(&key)) {
                            (*one, *other) = (value, value);
                        }
                    }
                    _ => assert_eq!(map.insert(key, value), model.insert(key, value)),
                }
                if number % 300 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
            }
            check(&map, &model);
            for (copy, known) in &copies {
                check(copy, known);
                let differ = known.keys().chain(model.keys()).filter(|key| known.get(key) != model.get(key));
                let unshared = copy.unshared(&map);
                assert!(unshared.is_sorted());
                for key in differ {
                    assert!(unshared.binary_search(key).is_ok(), "{key}");
                }
            }
            for value in map.values_mut() {
                *value = 7;
            }
            assert!(map.iter().all(|(_, value)| *value == 7));
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_chunks_and_little_of_it_is_copied() {
        let mut map = Chunks::default();
        for key in 0..12_800_u16 {
            map.insert(key, u32::from(key));
        }
        assert_eq!(map.chunks.len(), 100);
        let copy = map.clone();
        map.insert(5_000, 1);
        map.remove(&9_000);
        map.insert(u16::MAX, 1);
        assert_eq!(map.unshared(&map), Vec::<u16>::new());
        let unshared = copy.unshared(&map);
        assert!(unshared.len() <= 2 * CHUNK + 1, "{}", unshared.len());
        for key in [5_000, 9_000, u16::MAX] {
            assert!(unshared.contains(&key));
        }
    }
}
