//! The tensors of a node as slices.

use ort::{
    operator::ComputeContext,
    value::{PrimitiveTensorElementType, ValueRef},
};
use std::fmt::Debug;

/// An input that must be there.
pub(super) fn required(context: &ComputeContext, index: usize) -> ort::Result<ValueRef<'_>> {
    context.input(index)?.ok_or_else(|| ort::Error::new(format!("input {index} is missing")))
}

/// The numbers of an input that need not be there.
pub(super) fn numbers<'v, T: PrimitiveTensorElementType + Debug>(
    value: &'v Option<ValueRef<'_>>,
) -> ort::Result<Option<&'v [T]>> {
    value.as_ref().map(|value| Ok(value.try_extract_tensor::<T>()?.1)).transpose()
}

/// A whole number among a node's attributes.
pub(super) fn size(context: &ort::operator::KernelContext<'_>, name: &str) -> ort::Result<usize> {
    let number = context.get::<i64>(name).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| ort::Error::new(format!("attribute {name} is not a size")))
}
