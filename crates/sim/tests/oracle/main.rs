//! The oracle itself: it sees what is wrong and nothing else, and its two ways of looking at an order agree.

mod agree;
mod build;
mod fences;
mod generate;
mod mutate;
mod orders;
mod tails;
