use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Keys with so many milliseconds between them, answers that took so many, and what is waited for after the last key.
#[track_caller]
fn check(client: Client, gaps: &[u64], latencies: &[u64], wait: u64) {
    let (delay, now) = paced(gaps, latencies);
    assert_eq!(delay.wait(client, now), ms(wait));
}

fn paced(gaps: &[u64], latencies: &[u64]) -> (Delay, Instant) {
    let (mut delay, mut now) = (Delay::default(), Instant::now());
    delay.changed(now);
    for gap in gaps {
        now += ms(*gap);
        delay.changed(now);
    }
    latencies.iter().for_each(|latency| delay.answered(ms(*latency)));
    (delay, now)
}

/// What is waited for after each five rejections.
#[track_caller]
fn check_rejected(client: Client, waits: &[u64]) {
    let (mut delay, now) = paced(&[], &[]);
    for wait in waits {
        for _ in 0..5 {
            assert_eq!(delay.wait(client, now), ms(*wait));
            delay.rejected();
        }
    }
    delay.accepted();
    assert_eq!(delay.wait(client, now), ms(waits[0]));
}

use Client::{AsksAtOnce, Waits};

#[test]
fn nothing_is_waited_for_where_the_client_waits() {
    check(Waits, &[], &[], 0);
    check(Waits, &[120; 8], &[400; 8], 0);
}

#[test]
fn without_experience_it_is_a_little() {
    check(AsksAtOnce, &[], &[], 60);
    check(AsksAtOnce, &[120; 2], &[400; 8], 60);
    check(AsksAtOnce, &[120; 8], &[400; 2], 60);
}

#[test]
fn who_types_faster_than_the_model_answers_is_given_time_for_the_next_key() {
    check(AsksAtOnce, &[120; 8], &[400; 8], 150);
    check(AsksAtOnce, &[80, 120, 120, 300, 120], &[400; 3], 150);
    // The old pace is forgotten.
    let slow_then_fast: Vec<u64> = [[500; 8], [100; 8]].concat();
    check(AsksAtOnce, &slow_then_fast, &[400; 8], 125);
}

#[test]
fn a_pause_is_no_pace() {
    check(AsksAtOnce, &[120, 120, 5_000, 120, 9_000, 9_000, 9_000, 9_000], &[400; 8], 150);
    check(AsksAtOnce, &[5_000; 8], &[400; 8], 60);
}

#[test]
fn an_answer_that_comes_before_the_next_key_needs_no_wait() {
    check(AsksAtOnce, &[450; 8], &[400; 8], 0);
    check(AsksAtOnce, &[60; 8], &[100; 8], 0);
    check(AsksAtOnce, &[], &[90; 3], 0);
}

#[test]
fn time_that_has_passed_since_the_key_counts() {
    let (delay, now) = paced(&[120; 8], &[400; 8]);
    assert_eq!(delay.wait(AsksAtOnce, now + ms(100)), ms(50));
    assert_eq!(delay.wait(AsksAtOnce, now + ms(500)), ms(0));
}

#[test]
fn who_rejects_again_and_again_is_asked_less_often_until_he_accepts() {
    check_rejected(AsksAtOnce, &[60, 120, 240, 480, 960, 1_000, 1_000]);
    check_rejected(Waits, &[0, 120, 240, 480, 960, 1_000, 1_000]);
}

#[test]
fn no_wait_is_longer_than_a_second() {
    let (mut delay, now) = paced(&[900; 8], &[2_000; 8]);
    assert_eq!(delay.wait(AsksAtOnce, now), ms(1_000));
    (0..100).for_each(|_| delay.rejected());
    assert_eq!(delay.wait(AsksAtOnce, now), ms(1_000));
}

#[test]
fn clients_are_known_by_their_names() {
    for name in ["Neovim", "Visual Studio Code", "Visual Studio Code - Insiders", "VSCodium", "Cursor", "emacs"] {
        assert_eq!(Client::of(name), Waits, "{name}");
    }
    for name in ["", "helix", "Sublime Text LSP", "my Neovim"] {
        assert_eq!(Client::of(name), AsksAtOnce, "{name}");
    }
}
