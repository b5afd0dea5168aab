//! Stop strings: found across tokens, and never shown, not even their first letters.

/// Text held back until it cannot be part of a stop string.
pub(crate) struct Stops {
    stops: Vec<String>,
    held: String,
}

impl Stops {
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// Text that may be shown after `fresh`, and whether a stop string ended the answer.
    pub(crate) fn push(&mut self, fresh: &str) -> (String, bool) {
        self.held.push_str(fresh);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self.held.len() - self.possible_beginning();
        let rest = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// Length of the longest end of the text that a stop string begins with.
    fn possible_beginning(&self) -> usize {
        let starts = |from: usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[from..]));
        let mut places = self.held.char_indices().map(|(from, _)| from);
        places.find(|&from| starts(from)).map_or(0, |from| self.held.len() - from)
    }

    /// What was held back, when nothing follows.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_string_over_several_pieces_is_never_shown() {
        let mut stops = Stops::new(vec!["</s>".into(), "\n\n".into(), String::new()]);
        assert_eq!(stops.push("one <"), ("one ".into(), false));
        assert_eq!(stops.push("/"), (String::new(), false));
        assert_eq!(stops.push("b> two"), ("</b> two".into(), false));
        assert_eq!(stops.push(" three</s"), (" three".into(), false));
        assert_eq!(stops.push("> four"), (String::new(), true));
    }

    #[test]
    fn what_was_held_back_comes_out_at_the_end() {
        let mut stops = Stops::new(vec!["é!".into()]);
        assert_eq!(stops.push("caf"), ("caf".into(), false));
        assert_eq!(stops.push("é"), (String::new(), false));
        assert_eq!(stops.finish(), "é");
    }

    #[test]
    fn without_stop_strings_everything_passes() {
        assert_eq!(Stops::new(vec![]).push("anything"), ("anything".into(), false));
    }
}
