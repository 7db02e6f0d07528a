//! Posts that the topic held behind the cursor at the start: sent by an earlier run, and not to be sent again when the source
//! delivers them once more. Apart from `seen`, because they must not be forgotten before that.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::super::event::{Post, PostId};

/// Most posts: at about 40 bytes each, 200 MB. Those beyond it may be sent again.
const POSTS_MAX: usize = 5_000_000;

/// What the topic held.
#[derive(Debug, Default)]
pub struct Recalled {
    posts: HashSet<(PostId, u64), RandomState>,
    /// Whether equal names are enough. Ids that are unique only within one source do not tell its posts from those that
    /// another producer writes to the same topic: there the text must be the same, too.
    by_id_alone: bool,
    /// Hashes texts; of this process alone.
    texts: RandomState,
    left_out: u64,
}

impl Recalled {
    /// Nothing yet. `by_id_alone`: ids are unique in the world.
    pub fn new(by_id_alone: bool) -> Self {
        Self { by_id_alone, ..Self::default() }
    }

    /// Enters a record of the topic.
    pub fn insert(&mut self, id: PostId, json: &[u8]) {
        if self.posts.len() >= POSTS_MAX {
            self.left_out += 1;
            return;
        }
        let text = self.text(json);
        self.posts.insert((id, text));
    }

    /// How many posts are still to come again.
    pub fn len(&self) -> usize {
        self.posts.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Records that found no place.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether this post is in the topic; it is struck off.
    pub(super) fn strike(&mut self, id: PostId, post: &Post) -> bool {
        !self.posts.is_empty() && self.posts.remove(&(id, self.text(&post.json)))
    }

    fn text(&self, json: &[u8]) -> u64 {
        if self.by_id_alone { 0 } else { self.texts.hash_one(json) }
    }
}
