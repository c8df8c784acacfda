//! Objects of one kind, by id and by name. A copy costs one pointer and shares everything with what it was made of:
//! each call of a script works on a copy, and there can be a hundred thousand clients.

mod chunks;

use std::ops::Index;
use std::sync::Arc;

use gatepost_rest::definition::Id;

use self::chunks::Chunks;
use super::object::Named;

/// The objects of one kind.
#[derive(Debug)]
pub struct Objects<T> {
    by_id: Chunks<Id, Arc<T>>,
    /// Found by schema and name.
    by_name: Chunks<(Id, Arc<str>), Id>,
    touched: Touched,
}

/// What was handed out to be changed, so that its name may be another one by now.
#[derive(Clone, Debug, Default)]
enum Touched {
    #[default]
    Nothing,
    /// An object, with its name from before.
    One(Id, (Id, Arc<str>)),
    Everything,
}

impl<T> Clone for Objects<T> {
    fn clone(&self) -> Self {
        let (by_id, by_name) = (self.by_id.clone(), self.by_name.clone());
        Self { by_id, by_name, touched: self.touched.clone() }
    }
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { by_id: Chunks::default(), by_name: Chunks::default(), touched: Touched::Nothing }
    }
}

impl<T: PartialEq> PartialEq for Objects<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.unshared(other).all(|(_, one, another)| one == another)
    }
}

impl<T> Objects<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The object with this id.
    pub fn get(&self, id: &Id) -> Option<&Arc<T>> {
        self.by_id.find(|other| other.cmp(id))
    }

    /// Whether there is one with this id.
    pub fn contains_key(&self, id: &Id) -> bool {
        self.get(id).is_some()
    }

    /// All with their ids, by id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Id, &Arc<T>)> + Clone {
        self.by_id.iter().map(|(id, object)| (id, object))
    }

    /// The ids, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Id> + Clone {
        self.by_id.iter().map(|(id, _)| id)
    }

    /// All, by id.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> + Clone {
        self.by_id.iter().map(|(_, object)| object)
    }

    /// Ids that may differ between the two, with what each has; all that differ are among them. Costs what was
    /// changed since one was made of the other, not what there is.
    pub fn unshared<'o>(
        &'o self,
        other: &'o Self,
    ) -> impl Iterator<Item = (Id, Option<&'o Arc<T>>, Option<&'o Arc<T>>)> {
        let ids = self.by_id.unshared(&other.by_id).into_iter();
        let both = ids.map(|id| (id, self.get(&id), other.get(&id)));
        both.filter(|(_, one, another)| match (one, another) {
            (Some(one), Some(another)) => !Arc::ptr_eq(one, another),
            _ => true,
        })
    }
}

impl<T: Named> Objects<T> {
    /// The object of this name in a schema.
    pub fn named(&self, schema: Id, name: &str) -> Option<&Arc<T>> {
        let has_it = |object: &&Arc<T>| object.schema_id() == schema && object.name() == name;
        let found = || {
            let order = |key: &(Id, Arc<str>)| (key.0, &*key.1).cmp(&(schema, name));
            self.by_name.find(order).and_then(|id| self.get(id)).filter(has_it)
        };
        match &self.touched {
            Touched::Nothing => found(),
            Touched::One(id, _) => self.get(id).filter(has_it).or_else(found),
            Touched::Everything => self.values().find(has_it),
        }
    }

    /// Puts an object in, in place of the one that has its id.
    pub fn insert(&mut self, id: Id, object: Arc<T>) -> Option<Arc<T>> {
        self.settle();
        let name = name_of(&*object);
        let before = self.by_id.insert(id, object);
        if let Some(before) = &before {
            self.forget_name(id, &name_of(&**before));
        }
        self.by_name.insert(name, id);
        before
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: &Id) -> Option<Arc<T>> {
        self.settle();
        let removed = self.by_id.remove(id)?;
        self.forget_name(*id, &name_of(&*removed));
        Some(removed)
    }

    /// The object with this id, to be changed.
    pub fn get_mut(&mut self, id: &Id) -> Option<&mut Arc<T>> {
        self.settle();
        let object = self.by_id.find_mut(id)?;
        self.touched = Touched::One(*id, name_of(&**object));
        Some(object)
    }

    /// All, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<T>> {
        self.touched = Touched::Everything;
        self.by_id.values_mut()
    }

    /// Leaves out those for which the answer is no.
    pub fn retain(&mut self, mut stays: impl FnMut(&Id, &T) -> bool) {
        let gone: Vec<Id> =
            self.iter().filter(|(id, object)| !stays(id, object)).map(|(id, _)| *id).collect();
        for id in gone {
            self.remove(&id);
        }
    }

    /// Leaves out all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Finds what was touched under the name that it has now.
    fn settle(&mut self) {
        match std::mem::take(&mut self.touched) {
            Touched::Nothing => {}
            Touched::One(id, before) => {
                let now = self.get(&id).map(|object| name_of(&**object));
                if now.as_ref() != Some(&before) {
                    self.forget_name(id, &before);
                    self.by_name.extend(now.map(|name| (name, id)));
                }
            }
            Touched::Everything => {
                let names: Vec<_> = self.iter().map(|(id, object)| (name_of(&**object), *id)).collect();
                self.by_name = Chunks::default();
                self.by_name.extend(names);
            }
        }
    }

    /// While many are changed, a name can be another one's already.
    fn forget_name(&mut self, id: Id, name: &(Id, Arc<str>)) {
        if self.by_name.find(|other| other.cmp(name)) == Some(&id) {
            self.by_name.remove(name);
        }
    }
}

impl<T> Index<&Id> for Objects<T> {
    type Output = Arc<T>;

    /// # Panics
    /// When there is none with this id.
    fn index(&self, id: &Id) -> &Arc<T> {
        self.get(id).expect("the caller has the id from here")
    }
}

impl<'o, T> IntoIterator for &'o Objects<T> {
    type Item = (&'o Id, &'o Arc<T>);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'o>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

fn name_of<T: Named>(object: &T) -> (Id, Arc<str>) {
    (object.schema_id(), object.name().into())
}

#[cfg(test)]
mod tests {
    use gatepost_rest::definition::{Audit, Role};

    use super::*;

    fn role(id: Id, schema_id: Id, name: &str) -> Arc<Role> {
        Arc::new(Role { id, schema_id, name: name.into(), audit: Audit::default() })
    }

    fn roles(of: &[(Id, &str)]) -> Objects<Role> {
        let mut objects = Objects::default();
        for (id, name) in of {
            objects.insert(*id, role(*id, 1, name));
        }
        objects
    }

    fn ids(objects: &Objects<Role>, names: &[&str]) -> Vec<Option<Id>> {
        names.iter().map(|name| objects.named(1, name).map(|role| role.id)).collect()
    }

    #[test]
    fn an_object_is_found_by_the_name_that_it_has_now() {
        let mut objects = roles(&[(1, "a"), (2, "b")]);
        Arc::make_mut(objects.get_mut(&1).unwrap()).name = "c".into();
        assert_eq!(ids(&objects, &["a", "b", "c"]), [None, Some(2), Some(1)]);
        let copy = objects.clone();
        Arc::make_mut(objects.get_mut(&2).unwrap()).name = "a".into();
        assert_eq!(ids(&objects, &["a", "b", "c"]), [Some(2), None, Some(1)]);
        assert_eq!(ids(&copy, &["a", "b", "c"]), [None, Some(2), Some(1)]);
        objects.remove(&2);
        assert_eq!(ids(&objects, &["a", "b", "c"]), [None, None, Some(1)]);
        assert!(objects.named(2, "c").is_none(), "of another schema");
        for role in objects.values_mut() {
            Arc::make_mut(role).name = "d".into();
        }
        assert_eq!(ids(&objects, &["c", "d"]), [None, Some(1)]);
        objects.insert(3, role(3, 1, "c"));
        assert_eq!(ids(&objects, &["c", "d"]), [Some(3), Some(1)]);
        objects.retain(|id, _| *id == 3);
        assert_eq!(ids(&objects, &["c", "d"]), [Some(3), None]);
    }

    #[test]
    fn names_that_change_owners_in_any_order_end_with_their_owners() {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut objects = roles(&[(1, "a"), (2, "b"), (3, "c")]);
            for id in order {
                let name = ["b", "c", "a"][id as usize - 1];
                objects.insert(id, role(id, 1, name));
            }
            assert_eq!(ids(&objects, &["a", "b", "c"]), [Some(3), Some(1), Some(2)], "{order:?}");
        }
    }

    #[test]
    fn what_differs_is_found_and_equal_is_equal_however_it_was_made() {
        let numbers: Vec<(Id, String)> = (1..1_000).map(|id| (id, format!("r{id}"))).collect();
        let named: Vec<(Id, &str)> = numbers.iter().map(|(id, name)| (*id, name.as_str())).collect();
        let (one, other) = (roles(&named), roles(&named));
        assert!(one == other);
        let mut changed = one.clone();
        Arc::make_mut(changed.get_mut(&500).unwrap()).name = "other".into();
        changed.remove(&700);
        changed.insert(5_000, role(5_000, 1, "new"));
        let differ: Vec<Id> = one.unshared(&changed).map(|(id, ..)| id).collect();
        assert_eq!(differ, [500, 700, 5_000]);
        assert!(one != changed);
    }
}
