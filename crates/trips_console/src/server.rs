//! The server of the page: routes, the listening socket, the end.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::answer::ApiError;
use crate::auth::Token;
use crate::cells::Cells;
use crate::database::Database;
use crate::events::{self, Hub};
use crate::extract::Parameters;
use crate::guard::{self, Guard};
use crate::options::{Options, Proxy};
use crate::tls::{self, TlsListener};
use crate::{actions, assets, listen, views};

/// Longest body of a request: a polygon of some hundred corners.
const MAX_BODY: usize = 64 * 1024;

/// What handlers work with.
#[derive(Clone)]
pub struct App {
    pub database: Arc<Database>,
    pub hub: Arc<Hub>,
    pub cells: Arc<Cells>,
    pub allow_actions: bool,
}

/// Serves the page until a signal.
pub fn run(options: Options) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => match runtime.block_on(serve(options)) {
            Ok(()) => {
                // Statements that still run must not keep the process.
                runtime.shutdown_background();
                ExitCode::SUCCESS
            }
            Err(message) => fail(&message),
        },
        Err(error) => fail(&format!("could not start threads: {error}")),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("trips_console: error: {message}");
    ExitCode::FAILURE
}

async fn serve(options: Options) -> Result<(), String> {
    let token = match &options.token_file {
        Some(path) => Token::of_file(path)?,
        None => match Token::of_environment()? {
            Some(token) => token,
            None => Token::random()?,
        },
    };
    let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
    let address = SocketAddr::new(options.address, options.port);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("could not listen on {address}: {error}\nHINT:  Choose another port with --port, or 0 for a free one.")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let link = format!("{scheme}://{}/?token={token}\n", shown(address));
    let guard = Arc::new(Guard {
        token,
        port: address.port(),
        allowed_hosts: options.allowed_hosts.clone(),
        is_secure: tls.is_some() || options.proxy == Some(Proxy::Https),
    });
    let router = router(start(options)?, guard);
    // The link comes when the page answers.
    let _ = std::io::stdout().write_all(link.as_bytes()).and_then(|()| std::io::stdout().flush());
    let served = async {
        match tls {
            Some(acceptor) => axum::serve(TlsListener::new(listener, acceptor)?, router).await,
            None => axum::serve(listener, router).await,
        }
    };
    tokio::select! {
        result = served => result.map_err(|error| format!("could not serve the page: {error}")),
        result = stop() => result.map_err(|error| format!("could not wait for signals: {error}")),
    }
}

/// Starts the session that listens.
fn start(options: Options) -> Result<App, String> {
    let database = Arc::new(Database::new(options.connection));
    let hub = Arc::new(Hub::default());
    let (listened, told) = (Arc::clone(&database), Arc::clone(&hub));
    std::thread::Builder::new()
        .name("listen".into())
        .spawn(move || listen::run_for_ever(&listened, &told))
        .map_err(|error| format!("could not start a thread: {error}"))?;
    let cells = Arc::new(Cells::new(Arc::clone(&database)));
    tokio::spawn(Arc::clone(&cells).count_for_ever());
    tokio::spawn(Arc::clone(&cells).count_ahead(Arc::clone(&hub)));
    Ok(App { database, hub, cells, allow_actions: options.allow_actions })
}

/// Streams of pages are open until then: nobody waits for their end.
async fn stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

fn router(app: App, guard: Arc<Guard>) -> Router {
    let api = Router::new()
        .route("/status", get(views::status::status))
        .route("/regions", get(views::status::regions))
        .route("/events", get(event_stream))
        .route("/now", get(views::now::now))
        .route("/loads", get(views::loads::loads))
        .route("/loads/{load_id}", get(views::loads::load))
        .route("/health", get(views::health::health))
        .route("/verify", post(views::health::verify))
        .route("/trips", get(views::trips::trips))
        .route("/trips.csv", get(views::trips::trips_csv))
        .route("/weekly.csv", get(views::trips::weekly_csv))
        .route("/cells", get(views::map::cells))
        .route("/flows", get(views::map::flows))
        .route("/area", post(views::area::area))
        .route("/when", get(views::when::when))
        .route("/staging", get(views::staging::staging))
        .route("/staging/{load_id}", get(views::staging::of_load))
        .route("/feeds", get(views::feeds::feeds))
        .route("/actions/{action}", post(actions::act));
    Router::new()
        .nest("/api", api)
        .route("/", get(assets::index))
        .route("/{*name}", get(assets::asset))
        .with_state(app)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(guard, guard::check))
}

#[derive(Deserialize)]
struct EventParameters {
    after: Option<i64>,
}

async fn event_stream(
    State(app): State<App>,
    Parameters(parameters): Parameters<EventParameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    // A page that begins with 0 shows the last events.
    let after = seen.or(parameters.after).map(|after| if after <= 0 { -1 } else { after });
    events::stream(app.hub, app.database, after)
}

/// An address that a browser on this machine can open.
fn shown(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
