//! `Attention`: new tokens against a key-value cache that is both input and output.
//!
//! Where the present is bound to the memory of the past, only the new rows are written; elsewhere the past is copied first.

use finch_kernels::attention::{Cache, Rotary, Rows, Shape, Tokens, attend};
use ort::{
    operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput},
    value::{TensorElementType, ValueRef},
};

use super::{
    Machine, Threads,
    tensors::{numbers, required, size},
};

pub(super) struct Attention(pub(super) Machine);

pub(super) struct AttentionKernel {
    machine: Machine,
    heads: usize,
    kv_heads: usize,
    scale: Option<f32>,
    softcap: Option<f32>,
    window: Option<usize>,
    past: Vec<usize>,
}

impl Operator for Attention {
    type Kernel<'a> = AttentionKernel;

    fn name(&self) -> &str {
        finch_model::kernels::ATTENTION
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let floats = || OperatorInput::optional(TensorElementType::Float32);
        let integers = || OperatorInput::optional(TensorElementType::Int32);
        // Query or all three packed, key, value, past key, past value, lengths, total, cosines, sines.
        let query = OperatorInput::required(TensorElementType::Float32);
        [query, floats(), floats(), floats(), floats(), integers(), integers(), floats(), floats()]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [0, 1, 2].map(|_| OperatorOutput::required(TensorElementType::Float32))
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ort::Result<AttentionKernel> {
        let positive = |name: &str| context.get::<f32>(name).filter(|number| *number > 0.0);
        Ok(AttentionKernel {
            machine: self.0.clone(),
            heads: size(context, "num_heads")?,
            kv_heads: size(context, "kv_num_heads")?,
            scale: positive("scale"),
            softcap: positive("softcap"),
            window: size(context, "local_window_size").ok(),
            past: Vec::new(),
        })
    }
}

impl Kernel for AttentionKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let wrong = |what: &str| ort::Error::new(what.to_owned());
        let query = required(context, 0)?;
        let (dims, _) = query.try_extract_tensor::<f32>()?;
        let [batch, each, width] = sizes(dims)?;
        let [key, value] = [context.input(1)?, context.input(2)?];
        let past_keys = required(context, 3)?;
        let past_values = required(context, 4)?;
        let [_, kv_heads, capacity, head_dim] = sizes(past_keys.try_extract_tensor::<f32>()?.0)?;
        let lengths = required(context, 5)?;
        let (_, lengths) = lengths.try_extract_tensor::<i32>()?;
        self.past.clear();
        for length in lengths {
            let past = usize::try_from(*length).ok().and_then(|last| (last + 1).checked_sub(each));
            self.past.push(past.ok_or_else(|| wrong("a length is below the number of new tokens"))?);
        }
        let is_packed = key.is_none();
        let packed = (self.heads + 2 * self.kv_heads) * head_dim;
        let plain = self.heads * head_dim;
        if self.past.len() != batch || kv_heads != self.kv_heads || width != if is_packed { packed } else { plain } {
            return Err(wrong("the inputs are not of the heads the node speaks of"));
        }
        let mut tokens = self.tokens(&query, &key, &value, each, width, head_dim)?;
        let (cosines, sines) = (context.input(7)?, context.input(8)?);
        let half = cosines.as_ref().map_or(0, |table| table.shape().last().copied().unwrap_or(0));
        tokens.rotary = match (numbers(&cosines)?, numbers(&sines)?) {
            (Some(cosines), Some(sines)) => {
                Some(Rotary { cosines, sines, half: usize::try_from(half).unwrap_or(usize::MAX) })
            }
            _ => None,
        };
        let shape = Shape {
            heads: self.heads,
            kv_heads,
            head_dim,
            scale: self.scale.unwrap_or_else(|| (head_dim as f32).sqrt().recip()),
            softcap: self.softcap,
            window: self.window,
        };
        let kept = [batch, kv_heads, capacity, head_dim];
        let missing = || wrong("an output is missing");
        let mut output = context.output(0, as_dims(&[batch, each, plain]))?.ok_or_else(missing)?;
        let mut keys = context.output(1, as_dims(&kept))?.ok_or_else(missing)?;
        let mut values = context.output(2, as_dims(&kept))?.ok_or_else(missing)?;
        let mut cache =
            Cache { keys: continued(&past_keys, &mut keys)?, values: continued(&past_values, &mut values)?, capacity };
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        let threads = Threads { context, width: self.machine.threads };
        attend(self.machine.processor, &threads, &shape, &tokens, &mut cache, output)
            .map_err(|error| ort::Error::new(error.to_string()))
    }
}

impl AttentionKernel {
    fn tokens<'i>(
        &'i self,
        query: &'i ValueRef<'_>,
        key: &'i Option<ValueRef<'_>>,
        value: &'i Option<ValueRef<'_>>,
        each: usize,
        width: usize,
        head_dim: usize,
    ) -> ort::Result<Tokens<'i>> {
        let (_, all) = query.try_extract_tensor::<f32>()?;
        let inside = |start: usize| Rows { numbers: all, start: start * head_dim, stride: width };
        let (queries, keys, values) = match (numbers(key)?, numbers(value)?) {
            (Some(keys), Some(values)) => {
                let own = |numbers| Rows { numbers, start: 0, stride: self.kv_heads * head_dim };
                (inside(0), own(keys), own(values))
            }
            _ => (inside(0), inside(self.heads), inside(self.heads + self.kv_heads)),
        };
        Ok(Tokens { queries, keys, values, rotary: None, each, past: &self.past })
    }
}

/// The present, holding the past.
fn continued<'p>(past: &ValueRef<'_>, present: &'p mut ort::value::ValueRefMut<'_>) -> ort::Result<&'p mut [f32]> {
    let place = past.try_extract_tensor::<f32>()?.1.as_ptr();
    let (_, present) = present.try_extract_tensor_mut::<f32>()?;
    if !std::ptr::eq(place, present.as_ptr()) {
        let (_, past) = past.try_extract_tensor::<f32>()?;
        let fits = past.len() == present.len();
        if !fits {
            return Err(ort::Error::new("the present is not of the past's size"));
        }
        present.copy_from_slice(past);
    }
    Ok(present)
}

fn sizes<const N: usize>(dims: &[i64]) -> ort::Result<[usize; N]> {
    let sizes: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let sizes = sizes.and_then(|sizes| sizes.try_into().ok());
    sizes.ok_or_else(|| ort::Error::new(format!("an input of shape {dims:?} where {N} dimensions belong")))
}

fn as_dims(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)).collect()
}
