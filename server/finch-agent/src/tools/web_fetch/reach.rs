//! What a name leads to, and which of it is connected to.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::judged;
use crate::limits::FETCH_ADDRESSES_MAX;

/// Addresses on their way.
pub type LookedUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Who knows the addresses of names.
pub trait Names: Send + Sync + 'static {
    fn look_up(&self, name: String) -> LookedUp;
}

/// The names that this machine knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: String) -> LookedUp {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// How far fetches go. [`Default`] is the public network, by the names that this machine knows.
///
/// It is what connections are made by: an address that it did not judge is not connected to, whatever a name resolves to
/// a moment later. An address that stands in a URL is judged with the URL and never taken from `also`.
#[derive(Clone)]
pub struct Reach {
    names: Arc<dyn Names>,
    also: Arc<[IpAddr]>,
}

impl Default for Reach {
    fn default() -> Self {
        Self::new(Arc::new(SystemNames), &[])
    }
}

impl Reach {
    /// By other names, and to these addresses although they are not public: for a server of one's own.
    #[must_use]
    pub fn new(names: Arc<dyn Names>, also: &[IpAddr]) -> Self {
        Self { names, also: also.into() }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let (looked_up, also) = (self.names.look_up(name.as_str().to_owned()), Arc::clone(&self.also));
        Box::pin(async move {
            let addresses = judged(looked_up.await?, &also)?;
            // Port 0 is that of the URL.
            let addresses = addresses.into_iter().take(FETCH_ADDRESSES_MAX).map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("also", &self.also).finish_non_exhaustive()
    }
}
