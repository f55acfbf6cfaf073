use super::{BadDevices, Device, DeviceKind, Devices, OpenVinoTarget, Placement};

#[track_caller]
fn check(name: &str, expected: Option<Device>) {
    let device: Result<Device, BadDevices> = name.parse();
    assert_eq!(device.as_ref().ok(), expected.as_ref(), "{name:?}");
    if device.is_err() {
        assert_eq!(device, Err(BadDevices::Unknown { name: name.to_owned() }));
    }
}

#[test]
fn devices_have_names_and_some_have_numbers() {
    check("cpu", Some(Device::Cpu));
    check("cuda", Some(Device::Cuda(0)));
    check("cuda:0", Some(Device::Cuda(0)));
    check("cuda:12", Some(Device::Cuda(12)));
    check("coreml", Some(Device::CoreMl));
    check("directml:1", Some(Device::DirectMl(1)));
    check("openvino", Some(Device::OpenVino(OpenVinoTarget::Auto)));
    check("openvino:npu", Some(Device::OpenVino(OpenVinoTarget::Npu)));
    for name in [
        "",
        "gpu",
        "CUDA",
        "cuda:",
        "cuda:-1",
        "cuda:01",
        "cuda:+1",
        "cuda:256",
        "cpu:0",
        "coreml:0",
        "openvino:tpu",
        "cuda :0",
    ] {
        check(name, None);
    }
}

#[test]
fn a_device_is_said_as_it_is_written() {
    for name in ["cpu", "cuda:0", "cuda:3", "coreml", "directml:1", "openvino", "openvino:gpu"] {
        assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
    }
}

#[track_caller]
fn check_list(names: &[&str], expected: Result<&[Device], &str>) {
    match (Devices::parse(names), expected) {
        (Ok(devices), Ok(expected)) => assert_eq!(devices.before_cpu().collect::<Vec<_>>(), expected),
        (Err(problem), Err(expected)) => assert!(problem.to_string().contains(expected), "{problem}"),
        (found, _) => panic!("{names:?} is {found:?}"),
    }
}

#[test]
fn a_list_keeps_its_order_and_ends_with_the_processor() {
    check_list(&[], Ok(&[]));
    check_list(&["cpu"], Ok(&[]));
    check_list(&["cuda:1", "cuda:0", "cpu"], Ok(&[Device::Cuda(1), Device::Cuda(0)]));
    check_list(&["coreml", "cuda"], Ok(&[Device::CoreMl, Device::Cuda(0)]));
}

#[test]
fn a_device_that_is_none_or_is_never_reached_is_refused() {
    check_list(&["cpu", "cuda"], Err("cuda:0 stands behind cpu"));
    check_list(&["cuda", "cuda:0"], Err("cuda:0 is named twice"));
    check_list(&["cuda", "tpu"], Err("\"tpu\" is no device; write cpu, cuda"));
    check_list(&["cuda"; 9], Err("9 devices are too many"));
    let long = "x".repeat(1000);
    assert!(Devices::parse(&[long]).unwrap_err().to_string().len() < 300);
}

#[test]
fn what_the_library_has_is_used_in_order_and_the_rest_is_told() {
    use DeviceKind::{CoreMl, Cpu, Cuda};
    #[track_caller]
    fn check(names: &[&str], has: &[DeviceKind], used: &str, complaints: &[&str]) {
        let placement = Placement::by_library(&Devices::parse(names).unwrap(), has);
        assert_eq!((&*placement.to_string(), placement.complaints().collect::<Vec<_>>()), (used, owned(complaints)));
    }
    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
    check(&["cpu"], &[Cpu], "cpu", &[]);
    check(&["cuda:1", "cuda:0"], &[Cuda, Cpu], "cuda:1, cuda:0, cpu", &[]);
    check(&["cuda", "cpu"], &[Cpu], "cpu", &["cuda:0 is not in this ONNX Runtime, which has cpu; cpu computes"]);
    check(
        &["coreml", "cuda"],
        &[Cuda, Cpu],
        "cuda:0, cpu",
        &["coreml is not in this ONNX Runtime, which has cuda, cpu; cuda:0 computes"],
    );
    let mut placement = Placement::by_library(&Devices::parse(&["coreml", "cuda"]).unwrap(), &[Cuda, CoreMl, Cpu]);
    placement.fail(Device::CoreMl, "no such driver");
    assert_eq!(placement.to_string(), "cuda:0, cpu");
    let complaints: Vec<_> = placement.complaints().collect();
    assert_eq!(complaints, ["coreml cannot be used: no such driver; cuda:0 computes"]);
}
