//! The practice's side (docs/protocol.md "The practice's API"): [`entrance`] lets in, [`session`] is what a page then holds, [`proof`] weighs passwords, [`member`] says who may,
//! [`me`], [`users`], [`workplaces`], [`passkeys`], [`tokens`] and [`data`] keep house, [`plan`] and [`seats`] plan consultations, [`presence`] and [`live`] tell who waits.
//! What patients are called passes through here sealed; nothing here can open it (R36).

pub mod data;
pub mod desk;
pub mod entrance;
pub mod export;
pub mod live;
pub mod me;
pub mod member;
pub mod passkeys;
mod password;
pub mod plan;
pub mod presence;
mod proof;
pub mod seats;
pub mod session;
pub mod tokens;
pub mod users;
pub mod workplaces;
mod wrapped;
