//! Which keyword is found, by example. Chance texts and their oracles are in `chance`, Java's vectors in `java`.

use super::*;

mod chance;
mod java;

fn keywords(how: Match, terms: &[&[&str]]) -> Result<Keywords, String> {
    let keyword = |terms: &&[&str]| Keyword { terms: terms.iter().map(|term| (*term).to_owned()).collect() };
    Keywords::new(how, &terms.iter().map(keyword).collect::<Vec<_>>())
}

fn word(term: &str, text: &str) -> bool {
    keywords(Match::Word, &[&[term]]).unwrap().find_in([text].into_iter()).is_some()
}

#[track_caller]
fn check(term: &str, with: &[&str], without: &[&str]) {
    for text in with {
        assert!(word(term, text), "{term:?} is a word of {text:?}");
    }
    for text in without {
        assert!(!word(term, text), "{term:?} is no word of {text:?}");
    }
}

#[test]
fn a_term_is_found_as_a_whole_word_in_any_case() {
    check(
        "IoT",
        &[
            "IoT", "iot", "#IoT", "$iot", "@IoT", "IoT's", "IoT’s", "IoT-", "(IoT)", "the iot.", "\"IOT\"",
            "a/iot/b",
        ],
        &[
            "patriot", "IoTs", "#IoTnews", "iot_x", "_iot", "‿iot", "iot5", "5iot", "i o t", "io", "éiot",
            "iotß", "iоt",
        ],
    );
    check("5G", &["5g", "#5G!", "4G/5G", "5G-Netz", "5.5G"], &["5Gbit", "15G", "5 G", "５Ｇ"]);
    check("é", &["É", "«é»"], &["e", "été"]);
    check("🚀", &["to the🚀moon", "🚀"], &["🌕"]);
    check("C++", &["c++", "c++.", "(C++)", "c++x"], &["c", "c+", "objc++"]);
}

#[test]
fn a_term_with_its_sign_is_found_only_with_it() {
    check("#iot", &["#IoT", "##iot", "a#iot"], &["iot", "# iot", "#iots", "$iot"]);
    check("$BTC", &["$btc", "a $BTC."], &["BTC", "#btc", "$BTCUSD"]);
    check("BTC", &["$BTC", "#btc"], &["$BTCUSD"]);
}

#[test]
fn white_space_between_words_may_be_any() {
    for term in ["bitcoin cash", " Bitcoin \n\tCash "] {
        check(
            term,
            &[
                "Bitcoin Cash",
                "bitcoin   cash",
                "bitcoin\n\tcash",
                "bitcoin\u{a0}\u{3000}cash",
                "x bitcoin cash\n",
            ],
            &["bitcoincash", "bitcoin-cash", "bitcoin cashier", "xbitcoin cash", "bitcoin, cash", "bitcoin"],
        );
    }
}

#[test]
fn case_is_folded_in_every_script() {
    check("straße", &["STRASSE", "Straße", "strasse", "STRAẞE"], &["strase"]);
    check("STRASSE", &["straße"], &[]);
    check("ΣΊΣΥΦΟΣ", &["Σίσυφος", "σίσυφοσ"], &["Σίσυφο"]);
    check("биткойн", &["БИТКОЙН", "#Биткойн"], &["биткойны"]);
    check("bitcoin", &["BİTCOİN", "bıtcoın", "BITCOIN"], &["bi̇tcoins"]);
    check("ﬁx", &["FIX", "fix"], &[]);
    check("ǆ", &["Ǆ", "ǅ"], &["dž"]);
    check("𐐨", &["𐐀"], &["𐐩"]);
    check("blockchain", &["bloc\u{212a}chain", "BLOCKCHAIN"], &["blockchains"]);
}

#[test]
fn upper_and_lower_case_of_every_character_fold_alike() {
    let folded = |text: String| {
        let mut out = String::new();
        Fold::Words.append(&text, &mut out);
        out
    };
    // Lower case keeps the dot of İ as a mark of its own.
    for c in ('\0'..='\u{1ffff}').filter(|c| *c != 'İ') {
        let once = folded(String::from(c));
        assert_eq!(folded(c.to_uppercase().to_string()), once, "upper case of {c:?}");
        assert_eq!(folded(c.to_lowercase().to_string()), once, "lower case of {c:?}");
        assert_eq!(folded(once.clone()), once, "{c:?} folded twice");
    }
}

#[test]
fn marks_belong_to_the_character_before_them() {
    check(
        "iot",
        &["❤\u{fe0f}iot", "iot❤\u{fe0f}"],
        &["e\u{301}iot", "iot\u{301}", "x\u{200c}iot", "iot\u{200d}x"],
    );
    check("か", &["かい"], &["か\u{3099}"]);
    check("के", &["के"], &["क", "केक"]);
}

#[test]
fn scripts_without_spaces_have_a_boundary_between_any_two_characters() {
    check("比特币", &["买比特币吧", "比特币"], &["比特"]);
    check(
        "IoT",
        &["日本IoT", "IoT日本", "のiotは", "IoTก", "កIoT", "ကiot", "ລiot", "カIoT", "iotー"],
        &["IoT은", "아IoT"],
    );
    check("5G", &["使用5G手机"], &["使用15G手机"]);
    check("บิตคอยน์", &["ซื้อบิตคอยน์กัน"], &["บิตคอยน"]);
    check("คอย", &["บิตคอยน์"], &[]);
    // Where a vowel, a tone or a consonant below follows, the character goes on.
    check("บ", &["กบก"], &["บิต", "บ่"]);
    check("က", &["ကက"], &["က္က", "က\u{102d}"]);
    check("ខ", &["ខខ"], &["ខ្មែរ", "ក្ខ"]);
}

#[test]
fn a_run_of_katakana_is_a_word() {
    check(
        "ビットコイン",
        &["ビットコインは", "新ビットコイン", "ビットコイン・キャッシュ"],
        &["ビットコインキャッシュ"],
    );
    check("コイン", &["コインの"], &["ビットコイン", "コインー", "ｶコイン"]);
}

#[test]
fn the_first_keyword_of_the_list_wins_wherever_it_is() {
    let list: &[&[&str]] = &[&["Bitcoin", "btc"], &["Blockchain"], &["IoT"], &["5G"]];
    for how in [Match::Word, Match::RawSubstring] {
        let mut keywords = keywords(how, list).unwrap();
        let mut find = |texts: &[&str]| keywords.find_in(texts.iter().copied());
        assert_eq!(find(&["5g and iot and blockchain and btc"]), Some(0));
        assert_eq!(find(&["5g and iot and blockchain"]), Some(1));
        assert_eq!(find(&["5g", "iot"]), Some(2));
        assert_eq!(find(&["", "5G", "x"]), Some(3));
        assert_eq!(find(&["x", "y"]), None);
        assert_eq!(find(&[]), None);
        assert_eq!(find(&["bit", "coin"]), None);
    }
}

#[test]
fn terms_that_overlap_do_not_hide_each_other() {
    let mut raw =
        keywords(Match::RawSubstring, &[&["oinb"], &["chain", "bitcoin"], &["bitcoinblock"]]).unwrap();
    assert_eq!(raw.find_raw(b"{\"text\":\"BitcoinBlockchain\"}"), Some(0));
    assert_eq!(raw.find_raw(b"BitcoinXBlockchain"), Some(1));
    let mut words =
        keywords(Match::Word, &[&["block chain"], &["big block", "chain"], &["a big block"]]).unwrap();
    assert_eq!(words.find_in(["a big block chain"].into_iter()), Some(0));
    assert_eq!(words.find_in(["a big block"].into_iter()), Some(1));
    assert_eq!(words.find_in(["a big blocks"].into_iter()), None);
    // The first occurrence is no word, a later one is.
    assert_eq!(words.find_in(["chained chain"].into_iter()), Some(1));
}

#[test]
fn raw_json_is_searched_as_it_is_written() {
    let mut raw = keywords(Match::RawSubstring, &[&["Bitcoin"], &["IoT"], &["5G"], &["è"]]).unwrap();
    for (text, keyword) in [
        (&b"{\"id\":\"4zz5g\"}"[..], Some(2)),
        (b"{\"text\":\"a patriot\"}", Some(1)),
        (b"{\"text\":\"\\u0049oT\"}", None),
        (b"{\"text\":\"\\u00e8\"}", None),
        ("{\"text\":\"BITCOİN È\"}".as_bytes(), Some(0)),
        ("{\"text\":\"È\"}".as_bytes(), Some(3)),
        (b"", None),
        (b"\xff\xc4 iot \xe2\x84", Some(1)),
    ] {
        assert_eq!(raw.find_raw(text), keyword, "{}", String::from_utf8_lossy(text));
    }
    let mut broken = keywords(Match::RawSubstring, &[&["\u{fffd}"]]).unwrap();
    assert_eq!(broken.find_raw(b"a\xffb"), Some(0));
}

#[test]
fn lists_that_cannot_be_meant_are_refused() {
    for (how, list, message) in [
        (Match::Word, &[&["a"][..], &[]][..], "keyword 2 has no terms; give it one"),
        (Match::Word, &[&["a", ""]], "keyword 1 has an empty term; remove it, or write a word"),
        (Match::RawSubstring, &[&["a"], &[" \n"]], "keyword 2 has an empty term; remove it, or write a word"),
        (Match::Word, &[&["\u{3000}"]], "keyword 1 has an empty term; remove it, or write a word"),
        (
            Match::Word,
            &[&["a"], &["b", "IoT"], &["iot "]],
            "keywords 2 and 3 have the same term \"iot \"; the first would always win, so remove one",
        ),
    ] {
        assert_eq!(keywords(how, list).unwrap_err(), message);
    }
    // In raw text a space is part of the term. A keyword may have a term twice.
    assert!(keywords(Match::RawSubstring, &[&["iot"], &["iot "]]).is_ok());
    assert!(keywords(Match::Word, &[&["IoT", "iot"]]).is_ok());
    let mut none = keywords(Match::Word, &[]).unwrap();
    assert_eq!(none.find_in(["a"].into_iter()), None);
}

#[test]
fn as_many_terms_as_allowed_are_found_and_one_more_is_refused() {
    let mut list: Vec<Keyword> =
        (0..TERMS_MAX).map(|number| Keyword { terms: vec![format!("term{number:05}")] }).collect();
    for how in [Match::Word, Match::RawSubstring] {
        let mut keywords = Keywords::new(how, &list).unwrap();
        assert_eq!(keywords.find_in(["term09999 #TERM00123"].into_iter()), Some(123));
        assert_eq!(keywords.find_in(["term9999"].into_iter()), None);
    }
    list.push(Keyword { terms: vec!["one more".to_owned()] });
    let refusal = Keywords::new(Match::Word, &list).unwrap_err();
    assert_eq!(refusal, "the keywords have too many terms; at most 10000, and 262144 bytes in all");
    let long = |bytes: usize| Keyword { terms: vec!["i".repeat(bytes)] };
    let refusal = Keywords::new(Match::Word, &[long(TERM_BYTES_MAX + 1)]).unwrap_err();
    assert_eq!(refusal, "keyword 1 has a term of 201 bytes; at most 200");
    assert!(Keywords::new(Match::Word, &[long(TERM_BYTES_MAX)]).is_ok());
}

#[test]
fn terms_that_cost_most_are_bounded_in_all() {
    // Each is a part of the next, so a text of this letter has all of them everywhere.
    let nested = |how: Match| {
        Keywords::new(how, &[Keyword { terms: (1..=TERM_BYTES_MAX).map(|n| "i".repeat(n)).collect() }])
    };
    assert_eq!(nested(Match::RawSubstring).unwrap().find_raw("i".repeat(10_000).as_bytes()), Some(0));
    assert_eq!(nested(Match::Word).unwrap().find_in(["i".repeat(10_000).as_str()].into_iter()), None);
    let numbered: Vec<String> =
        (0..TERMS_BYTES_MAX / TERM_BYTES_MAX + 1).map(|n| format!("{n:0200}")).collect();
    let refusal = Keywords::new(Match::Word, &[Keyword { terms: numbered }]).unwrap_err();
    assert_eq!(refusal, "the keywords have too many terms; at most 10000, and 262144 bytes in all");
}

#[test]
fn names_in_the_configuration_have_a_dash() {
    assert_eq!(serde_json::to_string(&Match::RawSubstring).unwrap(), r#""raw-substring""#);
    assert_eq!(serde_json::from_str::<Match>(r#""word""#).unwrap(), Match::Word);
}
