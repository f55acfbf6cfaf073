//! `finch/didShow`, `finch/didAccept`, `finch/didReject`: what became of a suggestion.

use crate::outcomes::Teller;
use crate::session::Session;
use crate::wire::suggestion::{DidAccept, DidReject, DidShow};

pub(crate) fn did_show(session: &mut Session, params: DidShow) {
    session.records.shown(params.id);
    session.outcomes.shown(params.id);
}

pub(crate) fn did_accept(session: &mut Session, params: DidAccept) {
    session.records.accepted(&params);
    session.outcomes.accepted(&params, Teller::Client);
}

pub(crate) fn did_reject(session: &mut Session, params: DidReject) {
    session.outcomes.rejected(params.id, &params.reason);
    session.records.rejected(params);
}
