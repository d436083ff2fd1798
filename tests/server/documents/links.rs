//! Links of the documents: the file is there, and so is the heading.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{documents, root};

/// Other documents that have links.
const OTHERS: [&str; 3] = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for name in documents().into_iter().chain(OTHERS.map(str::to_owned)) {
        let path = root().join(&name);
        for link in links(&fs::read_to_string(&path).expect("a document")) {
            if !link.contains("://") && !is_there(&path, &link) {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

fn is_there(from: &Path, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { from.to_owned() } else { from.with_file_name(file) };
    match anchor {
        "" => target.exists(),
        anchor => fs::read_to_string(target).is_ok_and(|text| anchors(&text).contains(anchor)),
    }
}

/// The lines that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// The targets of the links `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let text = prose(text).collect::<Vec<_>>().join("\n");
    let parts = text.split("](").skip(1);
    parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(text).filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let anchor =
            [anchor.clone()].into_iter().chain(again).find(|anchor| !anchors.contains(anchor));
        anchors.extend(anchor);
    }
    anchors
}
