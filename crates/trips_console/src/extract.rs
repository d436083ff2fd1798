//! Parameters and bodies of requests; those that do not fit are errors in the form of all others.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::answer::ApiError;

const HINT: &str = "Look at docs/console.md for the parameters.";

/// Parameters of the address.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Query::from_request_parts(parts, state).await;
        found
            .map(|Query(found)| Self(found))
            .map_err(|error| ApiError::invalid(error.body_text(), HINT))
    }
}

/// A body of JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let found = axum::Json::from_request(request, state).await;
        found
            .map(|axum::Json(found)| Self(found))
            .map_err(|error| ApiError::invalid(error.body_text(), HINT))
    }
}

/// The number of a load in an address.
pub struct LoadId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for LoadId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        found
            .map(|axum::extract::Path(load_id)| Self(load_id))
            .map_err(|_| ApiError::invalid("the number of the load is not a number", HINT))
    }
}
