//! What people see in a browser: reports that can be mailed, and the dashboard of a daemon.
//!
//! Pages are made from a [`standpoint_store::Store`] by plain functions; this crate opens no
//! socket and knows no runtime. [`site::Site`] turns a request into a reply, and whoever listens
//! (the program) carries both. What documents say is text, escaped by templates that are checked
//! when this is compiled; no page loads anything from elsewhere, and none needs its script to be
//! read.
//!
//! Modules in reading order: [`address`] is what stands in a page's address; [`overview`] the
//! numbers of a page; [`text`], [`charts`] and [`parts`] draw them; [`document`] shows a document;
//! [`language`] why it may lack stances; [`report`] and `pages` put pages together, with [`frame`],
//! [`filters`], [`correction_form`] and [`health`]; [`correct`] keeps what people say; `stranger`
//! tells names that nobody has, and `near` those that may have been meant; [`site`] answers a
//! request with a [`reply`]; [`login`] says who may; [`export`] and [`openapi`] are for programs.

pub mod address;
mod api;
pub mod charts;
pub mod correct;
pub mod correction_form;
pub mod document;
pub mod export;
pub mod filters;
pub mod frame;
pub mod health;
pub mod language;
mod layout;
pub mod login;
mod near;
pub mod openapi;
pub mod overview;
mod pages;
pub mod parts;
pub mod reply;
pub mod report;
pub mod site;
mod stranger;
pub mod text;
