//! The console's static files.

use std::path::{Component, Path, PathBuf};

use actix_web::{HttpRequest, HttpResponse, http::Method};

use crate::{App, Error};

/// What the console's page may do: it loads its own files and asks its own server, and no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the console; paths without one are the page itself, which routes on its own.
pub(super) async fn file(app: &App, request: &HttpRequest) -> Result<HttpResponse, Error> {
    let path = request.path();
    let is_api = path.starts_with("/api/") || path.starts_with("/v1/");
    let Some(root) = app.config.console_dir.as_ref().filter(|_| !is_api && request.method() == Method::GET)
    else {
        return Err(Error::not_found("route"));
    };
    let asked = inside(root, path).ok_or_else(|| Error::not_found("route"))?;
    let (file, bytes) = match tokio::fs::read(&asked).await {
        Ok(bytes) => (asked, bytes),
        Err(_) if Path::new(path).extension().is_none() => {
            let page = root.join("index.html");
            let bytes = tokio::fs::read(&page).await.map_err(|_| Error::not_found("route"))?;
            (page, bytes)
        }
        Err(_) => return Err(Error::not_found("route")),
    };
    let hashed = path.starts_with("/assets/");
    Ok(HttpResponse::Ok()
        .content_type(kind(&file))
        .insert_header((
            "Cache-Control",
            if hashed { "public, max-age=31536000, immutable" } else { "no-cache" },
        ))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(bytes))
}

/// The file below `root`, or `None` when the path would leave it.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !path.contains(['%', '\\', '\0'])).then(|| root.join(relative))
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
