// Tells a torch without accelerators that a device of one kind is here: autograd then takes its
// tensors. Loaded before torch is imported, which asks for the hooks once. See stand_in.py.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#ifdef STAND_IN_MPS
#define KIND c10::DeviceType::MPS
#define INTERFACE MPSHooksInterface
#else
#define KIND c10::DeviceType::CUDA
#define INTERFACE CUDAHooksInterface
#endif

namespace at {

using c10::Stream;

struct StandInHooks : INTERFACE {
#ifdef STAND_IN_MPS
  bool hasMPS() const override { return true; }
#else
  explicit StandInHooks(CUDAHooksArgs) {}
  bool hasCUDA() const override { return true; }
#endif
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  void init() const override {}
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  Generator getNewGenerator(DeviceIndex) const override { return detail::createCPUGenerator(); }
};

#ifdef STAND_IN_MPS
C10_REGISTER_TYPED_CLASS(MPSHooksRegistry, "MPSHooks", StandInHooks)
#else
C10_REGISTER_CLASS(CUDAHooksRegistry, CUDAHooks, StandInHooks)
#endif

struct StandInGuard : c10::impl::NoOpDeviceGuardImpl<KIND> {
  Device getDevice() const override { return Device(KIND, 0); }
  Device exchangeDevice(Device) const override { return getDevice(); }
  Stream getStream(Device) const noexcept override { return Stream(Stream::DEFAULT, getDevice()); }
  Stream exchangeStream(Stream) const noexcept override { return getStream(getDevice()); }
};

static c10::impl::DeviceGuardImplRegistrar registrar(KIND, new StandInGuard());

}  // namespace at
