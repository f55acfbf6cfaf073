//! `finch/didShow`, `finch/didAccept`, `finch/didReject`: what became of a suggestion.

use crate::session::Session;
use crate::wire::suggestion::{DidAccept, DidReject, DidShow};

pub(crate) fn did_show(session: &mut Session, params: DidShow) {
    session.records.shown(params.id);
}

pub(crate) fn did_accept(session: &mut Session, params: DidAccept) {
    session.records.accepted(&params);
}

pub(crate) fn did_reject(session: &mut Session, params: DidReject) {
    session.records.rejected(params);
}
