//! `Linear` and `GatedLinear`: products with block-quantised matrices.

use finch_kernels::linear::{Bits, Matrix, Product, Shape, multiply};
use ort::{
    operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput},
    value::TensorElementType,
};

use super::{
    Machine, Threads,
    tensors::{numbers, required, size},
};
use std::sync::PoisonError;

pub(super) struct Linear(pub(super) Machine);
pub(super) struct GatedLinear(pub(super) Machine);

pub(super) struct LinearKernel {
    machine: Machine,
    shape: Shape,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Gated,
}

fn floats() -> OperatorInput {
    OperatorInput::required(TensorElementType::Float32)
}

fn codes() -> OperatorInput {
    OperatorInput::required(TensorElementType::Uint8)
}

fn zeros() -> OperatorInput {
    OperatorInput::optional(TensorElementType::Uint8)
}

impl Operator for Linear {
    type Kernel<'a> = LinearKernel;

    fn name(&self) -> &str {
        finch_model::kernels::LINEAR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let optional = OperatorInput::optional;
        // The input, the matrix, group indices that are never there, the bias.
        [floats(), codes(), floats(), zeros(), optional(TensorElementType::Int32), optional(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ort::Result<LinearKernel> {
        LinearKernel::new(&self.0, context, Kind::Plain)
    }
}

impl Operator for GatedLinear {
    type Kernel<'a> = LinearKernel;

    fn name(&self) -> &str {
        finch_model::kernels::GATED
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        // An optional input may not stand before a required one.
        let floats_behind = OperatorInput::optional(TensorElementType::Float32);
        [floats(), codes(), floats(), zeros(), zeros(), floats_behind, zeros()]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ort::Result<LinearKernel> {
        LinearKernel::new(&self.0, context, Kind::Gated)
    }
}

impl LinearKernel {
    fn new(machine: &Machine, context: &KernelContext<'_>, kind: Kind) -> ort::Result<Self> {
        let bits = match size(context, "bits")? {
            4 => Bits::Four,
            8 => Bits::Eight,
            other => return Err(ort::Error::new(format!("no kernel for {other} bits"))),
        };
        let (rows, columns, block) = (size(context, "N")?, size(context, "K")?, size(context, "block_size")?);
        let shape = Shape { rows, columns, bits, block };
        if !shape.is_supported() {
            return Err(ort::Error::new(format!("no kernel for {shape:?}")));
        }
        Ok(Self { machine: machine.clone(), shape, kind })
    }

    /// Computes with the matrices whose codes are the inputs `first`.
    fn product(&self, context: &ComputeContext, input: &[f32], output: &mut [f32]) -> ort::Result<()> {
        let unfit = |error: finch_kernels::linear::Unfit| ort::Error::new(error.to_string());
        let parts = [1, 2, 3, 4, 5, 6].map(|index| context.input(index));
        let [codes, scales, zeros, more_codes, more_scales, more_zeros] = parts;
        let (codes, scales, zeros) = (codes?, scales?, zeros?);
        let (more_codes, more_scales, more_zeros) = match self.kind {
            Kind::Plain => (None, more_scales?, None),
            Kind::Gated => (more_codes?, more_scales?, more_zeros?),
        };
        let matrix = Matrix::new(
            self.shape,
            numbers(&codes)?.unwrap_or_default(),
            numbers(&scales)?.unwrap_or_default(),
            numbers(&zeros)?,
        )
        .map_err(unfit)?;
        let product = match self.kind {
            Kind::Plain => {
                let bias: Option<&[f32]> = numbers(&more_scales)?;
                if bias.is_some_and(|bias| bias.len() != self.shape.rows) {
                    return Err(ort::Error::new("the bias does not have a number for each row"));
                }
                Product::Plain { matrix, bias }
            }
            Kind::Gated => {
                let (codes, scales) = (numbers(&more_codes)?.unwrap_or_default(), numbers(&more_scales)?);
                let up = Matrix::new(self.shape, codes, scales.unwrap_or_default(), numbers(&more_zeros)?);
                Product::Gated { gate: matrix, up: up.map_err(unfit)? }
            }
        };
        let threads = Threads { context, width: self.machine.threads };
        let mut room = self.machine.room.lock().unwrap_or_else(PoisonError::into_inner);
        multiply(self.machine.processor, &threads, &product, input, output, &mut room);
        Ok(())
    }
}

impl Kernel for LinearKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let input = required(context, 0)?;
        let (dims, input) = input.try_extract_tensor::<f32>()?;
        let mut dims: Vec<i64> = dims.to_vec();
        let columns = dims.last_mut().filter(|last| usize::try_from(**last) == Ok(self.shape.columns));
        *columns.ok_or_else(|| ort::Error::new("the input does not have the matrix's columns"))? =
            i64::try_from(self.shape.rows).unwrap_or(i64::MAX);
        let Some(mut output) = context.output(0, dims)? else {
            return Ok(());
        };
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if output.is_empty() {
            return Ok(());
        }
        self.product(context, input, output)
    }
}
