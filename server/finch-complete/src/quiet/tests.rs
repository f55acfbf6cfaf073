use std::time::Duration;

use super::*;

fn reject(tally: &mut Tally, token: Token, times: u64, now: Instant) {
    for id in 0..times {
        tally.shown(id, token);
        tally.ended(id, Fate::Rejected, now);
    }
}

#[tokio::test(start_paused = true)]
async fn who_rejects_comments_again_and_again_gets_none() {
    let (mut tally, now) = (Tally::default(), Instant::now());
    reject(&mut tally, Token::Comment, 7, now);
    assert!(!tally.is_quiet(Token::Comment, Quiet::default(), now));
    reject(&mut tally, Token::Comment, 1, now);
    assert!(tally.is_quiet(Token::Comment, Quiet::default(), now));
    assert!(!tally.is_quiet(Token::Text, Quiet::default(), now));
    assert!(!tally.is_quiet(Token::Code, Quiet::default(), now));
}

#[tokio::test(start_paused = true)]
async fn accepting_one_ends_the_silence() {
    let (mut tally, now) = (Tally::default(), Instant::now());
    reject(&mut tally, Token::Text, 20, now);
    assert!(tally.is_quiet(Token::Text, Quiet::default(), now));
    tally.shown(100, Token::Text);
    tally.ended(100, Fate::Accepted, now);
    assert!(!tally.is_quiet(Token::Text, Quiet::default(), now));
}

#[tokio::test(start_paused = true)]
async fn silence_is_not_for_ever() {
    let (mut tally, now) = (Tally::default(), Instant::now());
    reject(&mut tally, Token::Comment, 20, now);
    assert!(!tally.is_quiet(Token::Comment, Quiet::default(), now + QUIET_FADES + Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn what_is_configured_is_not_learnt() {
    let (mut tally, now) = (Tally::default(), Instant::now());
    let quiet = Quiet { comments: Manner::Silent, strings: Manner::Speak };
    reject(&mut tally, Token::Text, 20, now);
    assert!(tally.is_quiet(Token::Comment, quiet, now));
    assert!(!tally.is_quiet(Token::Text, quiet, now));
}

#[tokio::test(start_paused = true)]
async fn a_fate_counts_once_and_only_for_what_was_shown() {
    let (mut tally, now) = (Tally::default(), Instant::now());
    tally.shown(1, Token::Comment);
    for _ in 0..20 {
        tally.ended(1, Fate::Rejected, now);
        tally.ended(2, Fate::Rejected, now);
    }
    assert!(!tally.is_quiet(Token::Comment, Quiet::default(), now));
}
