//! Hadoop's settings files, as its `Configuration` reads them. Feeds `store`, which wants name services, and `yarn`,
//! which wants the ResourceManager.
//!
//! `${name}` within a value is another setting, as `Configuration.substituteVars` has it.

use std::collections::BTreeMap;

/// How deep values may refer to each other; Hadoop's own bound (`Configuration.MAX_SUBST`).
const SUBSTITUTIONS_MAX: usize = 20;

/// What several files set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Adds the properties of one file; a later one of the same name wins. Fails with what the XML parser says.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document =
            roxmltree::Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
        for property in document.root_element().children().filter(|node| node.has_tag_name("property")) {
            let child = |name: &str| {
                let found = property.children().find(|node| node.has_tag_name(name));
                found.and_then(|node| node.text()).map(|text| text.trim().to_owned())
            };
            if let Some(name) = child("name") {
                self.values.insert(name, child("value").unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A setting, with what it refers to filled in.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut value = self.values.get(name)?.clone();
        for _ in 0..SUBSTITUTIONS_MAX {
            let Some((before, rest)) = value.split_once("${") else { break };
            let Some((inner, after)) = rest.split_once('}') else { break };
            let filled = self.values.get(inner)?;
            value = format!("{before}{filled}{after}");
        }
        Some(value)
    }

    /// A setting that is a list, `a, b,c`.
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = self.get(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// The names of settings that begin so.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a file with these says.
    pub(crate) fn settings(properties: &[(&str, &str)]) -> Settings {
        let property = |(name, value): &(&str, &str)| {
            format!("<property><name>{name}</name>\n<value> {value} </value><final>true</final></property>")
        };
        let all: String = properties.iter().map(property).collect();
        let mut settings = Settings::default();
        settings.add(&format!("<?xml version=\"1.0\"?>\n<configuration>{all}</configuration>")).unwrap();
        settings
    }

    #[test]
    fn settings_that_refer_to_each_other_in_a_circle_end() {
        let circle = settings(&[("a", "${b}x"), ("b", "${a}")]);
        assert!(circle.get("a").is_some_and(|value| value.contains("${")));
        assert_eq!(settings(&[("a", "${user.name}")]).get("a"), None);
    }

    #[test]
    fn lists_are_trimmed_and_names_found_by_how_they_begin() {
        let lists = settings(&[("of.a", "x, y\n,z,"), ("of.b", ""), ("off", "1"), ("x", "${of.a}")]);
        assert_eq!(lists.list("of.a"), ["x", "y", "z"]);
        assert_eq!(lists.list("x"), ["x", "y", "z"]);
        assert!(lists.list("of.b").is_empty() && lists.list("none").is_empty());
        assert_eq!(lists.names("of.").collect::<Vec<_>>(), ["of.a", "of.b"]);
    }
}
