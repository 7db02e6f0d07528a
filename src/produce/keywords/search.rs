//! Searches a text for all terms at once, for `keywords`.

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Finds which terms occur in a text.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Finds the leftmost occurrence. With some 60 terms or less that is done by vector instructions (Teddy), 20 times
    /// as fast as `all`. Most posts have no keyword, and need no more.
    any: AhoCorasick,
    /// Finds every occurrence, also those that overlap, byte by byte.
    all: AhoCorasick,
    /// The keyword of each term.
    keywords: Vec<u16>,
}

impl Search {
    /// A search for these terms, which have these numbers.
    pub(super) fn new(terms: &[(String, u16)]) -> Result<Self, String> {
        let built = |kind: MatchKind| {
            let texts = terms.iter().map(|(term, _)| term);
            let built = AhoCorasick::builder().match_kind(kind).build(texts);
            built.map_err(|error| format!("the keywords cannot be searched for: {error}; use fewer terms"))
        };
        let keywords = terms.iter().map(|(_, keyword)| *keyword).collect();
        Ok(Self { any: built(MatchKind::LeftmostFirst)?, all: built(MatchKind::Standard)?, keywords })
    }

    /// The lowest number of a term that occurs in `text` in a place (from, until) that `accepts` accepts.
    pub(super) fn lowest(&self, text: &str, accepts: impl Fn(usize, usize) -> bool) -> Option<u16> {
        let mut place = Input::new(text);
        place.set_start(self.any.find(text)?.start());
        let mut lowest = None;
        let mut state = OverlappingState::start();
        while lowest != Some(0) {
            self.all.find_overlapping(place.clone(), &mut state);
            let Some(found) = state.get_match() else { break };
            let keyword = self.keywords.get(found.pattern().as_usize()).copied();
            let is_lower = lowest.is_none_or(|lowest| keyword.is_some_and(|keyword| keyword < lowest));
            if is_lower && accepts(found.start(), found.end()) {
                lowest = keyword;
            }
        }
        lowest
    }
}
